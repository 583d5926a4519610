//! Small files that would take gigabytes, or hours.

use super::*;

/// Characters that one code stands for at most.
const LONGEST: usize = 256;

/// A map of a font, of these sections.
fn map(sections: &str) -> Vec<u8> {
    let head = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapType 2 def\n";
    let foot = "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend";
    stream("", format!("{head}{sections}{foot}").as_bytes())
}

fn section(kind: &str, entries: &str) -> String {
    format!("1 begin{kind}\n{entries}\nend{kind}\n")
}

/// A page that draws `content` with a font that names object 7 as its map.
fn mapped(font: &str, content: Vec<u8>, map: Vec<u8>) -> Vec<u8> {
    let font = format!("<< /Type /Font /ToUnicode 7 0 R {font} >>");
    let parts = [CATALOG, PAGES, &font, INFO, PAGE].map(|part| part.as_bytes().to_vec());
    pdf(&[parts.to_vec(), vec![content, map]].concat())
}

/// Reads a file that may unpack to 16 MiB.
fn read_little(bytes: &[u8]) -> Result<Document, ReadError> {
    let mut source = source("a.pdf", bytes);
    source.limits.unpacked_bytes_max = 16 << 20;
    read(&source)
}

const BOMB: ReadError = ReadError::Bomb { unpacked_bytes_max: 16 << 20 };

#[test]
fn a_code_may_be_much_text_but_not_without_end() {
    let map = map(&section("bfchar", &format!("<41> <{}>", "0042".repeat(LONGEST))));
    let draw = |count: usize| format!("BT /F 12 Tf ({}) Tj ET", "A".repeat(count)).into_bytes();
    let short = mapped("/Subtype /Type1", stream("", &draw(3)), map.clone());
    assert_eq!(text(read(&source("a.pdf", &short))), "B".repeat(3 * LONGEST));
    let long = stream("/Filter /FlateDecode", &packed(&draw(16 << 20)));
    let mut source = source("a.pdf", &mapped("/Subtype /Type1", long, map));
    source.limits.text_bytes_max = 1 << 20;
    assert_eq!(read(&source), Err(ReadError::TooMuchText { text_bytes_max: 1 << 20 }));
}

#[test]
fn long_strings_stay_whole() {
    let spaces = section("codespacerange", "<000000> <FFFFFF>");
    let ranges = section("bfrange", "<000041> <000043> <0041>");
    let map = map(&(spaces + &ranges));
    let draw = format!("BT /F 12 Tf <{}> Tj ET", "000041000042000043".repeat(2000));
    let bytes = mapped("/Subtype /Type1", stream("", draw.as_bytes()), map);
    assert_eq!(text(read(&source("a.pdf", &bytes))), "ABC".repeat(2000));
}

#[test]
fn maps_that_grow_beyond_all_measure_are_not_read() {
    let bomb = section("bfrange", "<00000000> <FFFFFFFF> <0041>");
    let spaces = section("codespacerange", &"<0000> <FFFF>\n".repeat(200_000));
    let chars = section("bfchar", "<0041> <0041>");
    for sections in [bomb, spaces + &chars] {
        let content = stream("", b"BT /F 12 Tf (Hello) Tj ET");
        for font in ["/Subtype /Type0 /Encoding /Identity-H", "/Subtype /Type0"] {
            let bytes = mapped(font, content.clone(), map(&sections));
            assert_eq!(read(&source("a.pdf", &bytes)), Err(ReadError::NoTextInPdf), "{font}");
        }
        // Without its map, such a font is one as any other.
        for encoding in ["", "/Encoding /Identity-H", "/Encoding << /BaseEncoding /Identity-V >>"] {
            let font = format!("/Subtype /Type1 {encoding}");
            let bytes = mapped(&font, content.clone(), map(&sections));
            assert_eq!(text(read(&source("a.pdf", &bytes))), "Hello", "{encoding}");
        }
    }
}

/// A file whose fonts share a map that takes 2.5 MiB each; a page has `per_page` of them.
fn fonts(pages: usize, per_page: usize) -> Vec<u8> {
    let range = format!("<0000> <0FFF> <{}>", "0042".repeat(LONGEST - 1) + "0043");
    let font = "<< /Type /Font /Subtype /Type0 /ToUnicode 4 0 R >>";
    let names: Vec<String> = (0..per_page).map(|font| format!("/F{font}")).collect();
    let fonts: String = names.iter().map(|name| format!("{name} {font} ")).collect();
    let draw: String = names.iter().map(|name| format!("{name} 9 Tf <0000> Tj ")).collect();
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", 5 + page)).collect();
    let page = format!(
        "<< /Type /Page /Parent 2 0 R /Contents 3 0 R /Resources << /Font << {fonts} >> >> >>"
    );
    let mut objects = vec![
        CATALOG.into(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>").into_bytes(),
        stream("", draw.as_bytes()),
        map(&section("bfrange", &range)),
    ];
    objects.extend(vec![page.into_bytes(); pages]);
    pdf(&objects)
}

#[test]
fn fonts_share_one_budget_and_pages_do_not() {
    assert_eq!(read_little(&fonts(1, 64)), Err(BOMB));
    let read = text(read_little(&fonts(12, 3)));
    assert_eq!(read.matches('C').count(), 36);
}

#[test]
fn repeated_widths_end() {
    let widths = "0 65535 500 ".repeat(200_000);
    let font = format!("/Subtype /Type0 /DescendantFonts [<< /W [{widths}] >>]");
    let map = map(&section("bfchar", "<0041> <0041>"));
    let bytes = mapped(&font, stream("", b"BT /F 12 Tf <0041> Tj ET"), map);
    assert_eq!(text(read(&source("a.pdf", &bytes))), "A");
}

/// A page of `count` parts, all of them object 6.
fn parts(count: usize, part: Vec<u8>) -> Vec<u8> {
    let page = PAGE.replace("6 0 R", &format!("[{} 7 0 R]", "6 0 R ".repeat(count)));
    let parts = [CATALOG, PAGES, FONT, INFO, &page].map(|part| part.as_bytes().to_vec());
    pdf(&[parts.to_vec(), vec![part, stream("", b"BT /F 12 Tf (Hello) Tj ET")]].concat())
}

#[test]
fn streams_that_unpack_to_nothing_are_paid_for() {
    let blanks = packed(&vec![b' '; 1 << 20]);
    let nothing = stream("/Filter [/FlateDecode /ASCIIHexDecode]", &blanks);
    assert_eq!(text(read_little(&parts(3, nothing.clone()))), "Hello");
    assert_eq!(read_little(&parts(100_000, nothing)), Err(BOMB));
    let wrong = stream("/Filter [/FlateDecode /ASCIIHexDecode]", &packed(&vec![b'?'; 1 << 20]));
    assert_eq!(read_little(&parts(100_000, wrong)), Err(BOMB));
    let empty = stream("/Filter /FlateDecode", b"\x78\x9c\x03\x00\x00\x00\x00\x01");
    assert_eq!(text(read_little(&parts(100_000, empty))), "Hello");
}

#[test]
fn forms_that_unpack_to_nothing_are_paid_for() {
    let form = "/Type /XObject /Subtype /Form /Filter [/FlateDecode /ASCIIHexDecode]";
    for byte in [b' ', b'?'] {
        let form = stream(form, &packed(&vec![byte; 1 << 20]));
        let draw = |count| format!("BT /F 12 Tf (Hello) Tj ET {}", "/X Do ".repeat(count));
        let file = |count| one_page(stream("", draw(count).as_bytes()), form.clone());
        assert_eq!(text(read_little(&file(3))), "Hello");
        assert_eq!(read_little(&file(100_000)), Err(BOMB));
    }
}

#[test]
fn more_than_two_filters_are_refused() {
    let filters = "/Filter [/ASCIIHexDecode /ASCIIHexDecode /ASCIIHexDecode]";
    let refused = read(&source("a.pdf", &parts(1, stream(filters, b"333433313E"))));
    let Err(ReadError::DamagedPdf { why }) = refused else { panic!("{refused:?}") };
    assert!(why.contains("two filters"));
}
