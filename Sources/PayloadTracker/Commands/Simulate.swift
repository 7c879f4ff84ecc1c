import ArgumentParser
struct Simulate: ParsableCommand { @OptionGroup var options: SettingsOptions }
