import Foundation
import Testing

@testable import PayloadModel

/// What producers send must neither end a string early nor come out as something else.
@Suite struct JSONWriterTests {
    @Test("every character comes back as it was")
    func escapes() throws {
        let all = String(String.UnicodeScalarView((0..<0x2100).compactMap { Unicode.Scalar(UInt32($0)) }))
        for text in [all, "", "\"", "\\", "\u{0}", "a/b", "</script>", "e\u{301}", "\u{1F600}\n"] {
            var writer = JSONWriter()
            writer.strings([text, "end"])
            let read = try JSONSerialization.jsonObject(with: Data(writer.bytes)) as? [String]
            #expect(read?.map { Array($0.utf8) } == [Array(text.utf8), Array("end".utf8)])
        }
    }

    @Test("commas stand between members and elements, and nowhere else")
    func structure() {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("a")
            writer.array([1, 2]) { $0.number($1) }
            writer.name("b")
            writer.object { _ in }
            writer.name("c")
            writer.array([[String]](), { $0.strings($1) })
            writer.name("d")
            writer.string(nil)
            writer.name("e")
            writer.number(Int64.min)
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"a":[1,2],"b":{},"c":[],"d":null,"e":-9223372036854775808}"#
        )
    }
}
