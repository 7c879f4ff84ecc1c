import ArgumentParser
struct Get: ParsableCommand { @OptionGroup var options: SettingsOptions }
