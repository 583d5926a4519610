mod bombs;

use lopdf::{Dictionary, Stream};

use super::super::tests::{shown, source};
use super::*;

/// A PDF of these objects, the first of which is the catalog.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut places = vec![];
    for (index, object) in objects.iter().enumerate() {
        places.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", index + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let start = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).bytes());
    bytes.extend(places.iter().flat_map(|place| format!("{place:010} 00000 n \n").into_bytes()));
    let trailer = format!("trailer\n<< /Size {} /Root 1 0 R /Info 4 0 R >>\n", places.len() + 1);
    bytes.extend(format!("{trailer}startxref\n{start}\n%%EOF\n").bytes());
    bytes
}

fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< {dictionary} /Length {} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut stream = Stream::new(Dictionary::new(), content.to_vec());
    stream.compress().expect("content can be packed");
    stream.content
}

const CATALOG: &str = "<< /Type /Catalog /Pages 2 0 R >>";
const PAGES: &str = "<< /Type /Pages /Kids [5 0 R] /Count 1 >>";
const FONT: &str =
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";
const INFO: &str = "<< /Title (A title) >>";
const PAGE: &str = "<< /Type /Page /Parent 2 0 R /Contents 6 0 R /Resources << /Font << /F 3 0 R >> \
                    /XObject << /X 7 0 R >> >> >>";

/// A page that draws `content`, and an object that it may use.
fn one_page(content: Vec<u8>, more: Vec<u8>) -> Vec<u8> {
    let parts = [CATALOG, PAGES, FONT, INFO, PAGE].map(|part| part.as_bytes().to_vec());
    pdf(&[parts.to_vec(), vec![content, more]].concat())
}

fn drawn(content: &str) -> Result<Document, ReadError> {
    read(&source("a.pdf", &one_page(stream("", content.as_bytes()), b"null".to_vec())))
}

fn text(document: Result<Document, ReadError>) -> String {
    document.expect("a PDF with text").sections().map(|section| section.text.to_owned()).collect()
}

#[test]
fn damaged_files_are_refused_or_read() {
    let whole = one_page(stream("", b"BT /F 12 Tf (Hello) Tj ET"), b"null".to_vec());
    assert_eq!(text(read(&source("a.pdf", &whole))), "Hello");
    for end in (9..whole.len()).step_by(7) {
        // Whatever the answer is, it is one.
        let _ = read(&source("a.pdf", &whole[..end]));
    }
    for at in (9..whole.len()).step_by(3) {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x55;
        let _ = read(&source("a.pdf", &wrong));
    }
    assert!(matches!(read(&source("a.pdf", b"%PDF-1.7\n")), Err(ReadError::DamagedPdf { .. })));
}

#[test]
fn a_scan_says_what_to_do() {
    let scan = drawn("q 100 0 0 100 0 0 cm /X Do Q");
    assert_eq!(scan, Err(ReadError::NoTextInPdf));
    assert!(ReadError::NoTextInPdf.to_string().contains("ocrmypdf"));
}

#[test]
fn an_encrypted_file_says_what_to_do() {
    let whole = one_page(stream("", b"BT /F 12 Tf (Hello) Tj ET"), b"null".to_vec());
    let text = String::from_utf8(whole).expect("no bytes but text");
    let encrypt = "/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O (0123456789abcdef0123456789abcdef) \
                   /U (0123456789abcdef0123456789abcdef) >> /ID [(a) (b)] /Root";
    let encrypted = text.replace("/Root", encrypt);
    assert_eq!(read(&source("a.pdf", encrypted.as_bytes())), Err(ReadError::Encrypted));
}

#[test]
fn pages_that_unpack_beyond_all_measure_are_refused() {
    let bomb = packed(&vec![b' '; 64 << 20]);
    let bytes = one_page(stream("/Filter /FlateDecode", &bomb), b"null".to_vec());
    let mut source = source("a.pdf", &bytes);
    source.limits.unpacked_bytes_max = 16 << 20;
    assert_eq!(read(&source), Err(ReadError::Bomb { unpacked_bytes_max: 16 << 20 }));
}

#[test]
fn packed_twice_is_no_way_around() {
    let bomb = packed(&packed(&vec![b' '; 64 << 20]));
    let bytes = one_page(stream("/Filter [/FlateDecode /FlateDecode]", &bomb), b"null".to_vec());
    let mut source = source("a.pdf", &bytes);
    source.limits.unpacked_bytes_max = 16 << 20;
    assert_eq!(read(&source), Err(ReadError::Bomb { unpacked_bytes_max: 16 << 20 }));
}

#[test]
fn streams_of_objects_share_one_budget() {
    // Each is small enough, all together are not.
    let content = format!("8 0 [{}]", "0 ".repeat(100_000));
    let bomb = packed(content.as_bytes());
    let objects = stream("/Type /#4fbjStm /N 1 /First 4 /Filter /FlateDecode", &bomb);
    let parts = [CATALOG, PAGES, FONT, INFO, PAGE].map(|part| part.as_bytes().to_vec()).to_vec();
    let text = stream("", b"BT /F 12 Tf (Hello) Tj ET");
    let all =
        |count| pdf(&[parts.clone(), vec![text.clone()], vec![objects.clone(); count]].concat());
    let read = |count| {
        let mut source = source("a.pdf", &all(count));
        source.limits.unpacked_bytes_max = 1 << 20;
        read(&source).map(drop)
    };
    assert_eq!(read(1), Ok(()));
    assert_eq!(read(9), Err(ReadError::Bomb { unpacked_bytes_max: 1 << 20 }));
}

#[test]
fn a_wrong_table_of_objects_is_made_anew() {
    let whole = one_page(stream("", b"BT /F 12 Tf (Hello) Tj ET"), b"null".to_vec());
    let text_of = String::from_utf8(whole).expect("no bytes but text");
    let moved = text_of.replacen("1 0 obj", "%a longer line\n1 0 obj", 1);
    assert_eq!(text(read(&source("a.pdf", moved.as_bytes()))), "Hello");
}

#[test]
fn forms_that_draw_themselves_end() {
    let form = "/Type /XObject /Subtype /Form /Resources << /Font << /F 3 0 R >> /XObject << /X 7 0 R >> >>";
    let itself = stream(form, b"BT /F 12 Tf (a) Tj ET /X Do /X Do");
    let bytes = one_page(stream("", b"/X Do"), itself);
    assert!(text(read(&source("a.pdf", &bytes))).contains('a'));
}

#[test]
fn pages_and_outlines_that_contain_themselves_end() {
    let outline = b"<< /First 7 0 R /Next 7 0 R /Title (t) /Dest [5 0 R /Fit] >>".to_vec();
    let catalog = b"<< /Type /Catalog /Pages 2 0 R /Outlines 7 0 R >>".to_vec();
    let pages = b"<< /Type /Pages /Parent 2 0 R /Kids [5 0 R 2 0 R] /Count 3 >>".to_vec();
    let parts = [FONT, INFO, PAGE].map(|part| part.as_bytes().to_vec()).to_vec();
    let content = stream("", b"BT /F 12 Tf (Hello) Tj ET");
    let bytes = pdf(&[vec![catalog, pages], parts, vec![content, outline]].concat());
    assert!(text(read(&source("a.pdf", &bytes))).starts_with("Hello"));
}

#[test]
fn deep_objects_do_not_overflow() {
    for (open, close) in [("[", "]"), ("<< /A ", " >>"), ("(", ")")] {
        let deep = format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        let _ = drawn(&format!("{deep} Tj"));
        let bytes = one_page(stream("", b"BT /F 12 Tf (Hello) Tj ET"), deep.into_bytes());
        let _ = read(&source("a.pdf", &bytes));
    }
    let _ = drawn(&"q ".repeat(100_000));
}

#[test]
fn a_file_without_pages_is_damaged() {
    let parts = [CATALOG, "<< /Type /Pages /Kids [] /Count 9 >>", FONT, INFO];
    let bytes = pdf(&parts.map(|part| part.as_bytes().to_vec()));
    assert!(matches!(read(&source("a.pdf", &bytes)), Err(ReadError::DamagedPdf { .. })));
}

#[test]
fn too_many_pages_are_refused() {
    let mut source =
        source("a.pdf", &one_page(stream("", b"BT /F 12 Tf (Hello) Tj ET"), b"null".to_vec()));
    source.limits.pages_max = 0;
    assert_eq!(read(&source), Err(ReadError::TooManyPages { pages_max: 0 }));
}

#[test]
fn lines_and_words_come_apart_as_they_are_drawn() {
    let content = "BT /F 10 Tf 12 TL 72 700 Td (Hel) Tj (lo ) Tj [(wor) -50 (ld) -800 (you)] TJ T* (next) Tj \
                   1 0 0 1 72 500 Tm (far) ' ET q 2 0 0 2 0 0 cm BT /F 5 Tf (e\\351) Tj ET Q";
    assert_eq!(text(drawn(content)), "Hello world you\nnext\n\nfar\n\neé");
}

#[test]
fn the_fonts_own_map_is_used() {
    let map = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapType 2 def\n\
               1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n2 beginbfchar\n<0001> <00480069>\n\
               <0002> <D83EDD80>\nendbfchar\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend";
    let font = b"<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 6 0 R \
                 /DescendantFonts [<< /DW 500 /W [1 [900] 2 2 900] >>] >>";
    let page = PAGE.replace("/Contents 6 0 R", "/Contents 7 0 R");
    let parts = vec![CATALOG.into(), PAGES.into(), font.to_vec(), INFO.into(), page.into_bytes()];
    let content = stream("", b"BT /F 10 Tf <00010002> Tj ET");
    let bytes = pdf(&[parts, vec![stream("", map.as_bytes()), content]].concat());
    assert_eq!(text(read(&source("a.pdf", &bytes))), "Hi🦀");
}

#[test]
fn the_outline_gives_headings_and_pages_their_numbers() {
    let parts: Vec<Vec<u8>> = [
        "<< /Type /Catalog /Pages 2 0 R /Outlines << /First 8 0 R >> >>",
        "<< /Type /Pages /Kids [5 0 R 7 0 R] /Count 2 >>",
        FONT,
        INFO,
        PAGE,
        &String::from_utf8(stream("", b"BT /F 12 Tf (Hello) Tj ET")).expect("text"),
        PAGE,
        "<< /Title (Chapter) /Dest [7 0 R /Fit] /First 9 0 R >>",
        "<< /Title (Part) /A << /S /GoTo /D [7 0 R /Fit] >> >>",
    ]
    .map(|part| part.as_bytes().to_vec())
    .to_vec();
    let document = read(&source("a.pdf", &pdf(&parts))).expect("a PDF with text");
    assert_eq!(document.title(), "A title");
    assert_eq!(shown(&document), [" | 1-1 | Hello", "Chapter | 2-2 | Hello"]);
}

#[test]
fn an_outline_may_name_its_targets() {
    let tree =
        "/Names << /Dests << /Kids [8 0 R 8 0 R] >> >> /Dests << /old << /D [5 0 R /Fit] >> >>";
    for target in ["(new)", "/old"] {
        let parts: Vec<Vec<u8>> = [
            &format!("<< /Type /Catalog /Pages 2 0 R /Outlines << /First 7 0 R >> {tree} >>"),
            PAGES,
            FONT,
            INFO,
            PAGE,
            &String::from_utf8(stream("", b"BT /F 12 Tf (Hello) Tj ET")).expect("text"),
            &format!("<< /Title (Chapter) /A << /S /GoTo /D {target} >> >>"),
            "<< /Kids [8 0 R] /Names [(a) 1 (new) [5 0 R /Fit] (odd)] >>",
        ]
        .map(|part| part.as_bytes().to_vec())
        .to_vec();
        let document = read(&source("a.pdf", &pdf(&parts))).expect("a PDF with text");
        assert_eq!(shown(&document), ["Chapter | 1-1 | Hello"], "{target}");
    }
}
