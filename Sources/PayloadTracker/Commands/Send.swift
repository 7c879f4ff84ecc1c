import ArgumentParser
struct Send: ParsableCommand { @OptionGroup var options: SettingsOptions }
