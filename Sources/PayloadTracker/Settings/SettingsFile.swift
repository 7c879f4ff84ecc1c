import Foundation
import Yams

/// A file with settings, YAML or JSON (which is YAML too): nested maps, dotted keys, or both.
enum SettingsFile {
    /// The settings in the file, in its order. Values are taken as the characters that were written; a list is its
    /// elements with commas between, and null is a setting that is not given.
    static func settings(at path: String) throws(SettingsError) -> [GivenSetting] {
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        } catch {
            throw SettingsError("cannot read the settings in \(path): \(error.localizedDescription)")
        }
        return try settings(in: text, path: path)
    }

    static func settings(in text: String, path: String) throws(SettingsError) -> [GivenSetting] {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw SettingsError("cannot read the settings in \(path): \(firstLine(of: error))")
        }
        guard let root, root.null == nil else { return [] }
        guard case .mapping(let mapping) = root else {
            throw SettingsError("cannot read the settings in \(path): it does not hold a map of settings")
        }
        var given: [GivenSetting] = []
        try flatten(mapping, under: "", path: path, into: &given)
        if let repeated = firstRepetition(in: given) {
            throw .refused(repeated, because: "the file gives it more than once")
        }
        return given
    }

    private static func flatten(
        _ mapping: Node.Mapping,
        under prefix: String,
        path: String,
        into given: inout [GivenSetting]
    ) throws(SettingsError) {
        for (name, node) in mapping {
            let key = prefix + (name.scalar?.string ?? "")
            let origin = "\(path), line \(name.mark?.line ?? 0)"
            switch node {
            case .mapping(let inner) where key == "status.aliases":
                given.append(GivenSetting(key: key, value: try pairs(inner, key, origin), origin: origin))
            case .mapping(let inner):
                try flatten(inner, under: key + ".", path: path, into: &given)
            case .sequence(let elements):
                given.append(GivenSetting(key: key, value: try list(Array(elements), key, origin), origin: origin))
            case .scalar(let scalar):
                if node.null == nil {
                    given.append(GivenSetting(key: key, value: scalar.string, origin: origin))
                } else if Setting.known(key) == nil, !key.hasPrefix("kafka.") {
                    throw .unknown(key, from: origin, known: Setting.byKey.keys)
                }
            case .alias:
                throw SettingsError("\(key) (from \(origin)) is an alias without an anchor")
            }
        }
    }

    private static func list(_ nodes: [Node], _ key: String, _ origin: String) throws(SettingsError) -> String {
        var elements: [String] = []
        for node in nodes {
            guard let scalar = node.scalar else {
                throw SettingsError("\(key) (from \(origin)) is refused: a list holds plain values only")
            }
            elements.append(scalar.string)
        }
        return elements.joined(separator: ",")
    }

    private static func pairs(_ mapping: Node.Mapping, _ key: String, _ origin: String) throws(SettingsError) -> String
    {
        var pairs: [String] = []
        for (name, value) in mapping {
            guard let name = name.scalar, let value = value.scalar else {
                throw SettingsError("\(key) (from \(origin)) is refused: a word has one status")
            }
            pairs.append("\(name.string)=\(value.string)")
        }
        return pairs.joined(separator: ",")
    }

    private static func firstRepetition(in given: [GivenSetting]) -> GivenSetting? {
        var seen: Set<String> = []
        return given.first { !seen.insert($0.key).inserted }
    }

    private static func firstLine(of error: any Error) -> String {
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            "line \(context.mark.line): \(duplicates.joined(separator: ", ")) is given more than once"
        default: String(describing: error)
        }
    }
}
