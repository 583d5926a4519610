//! Packets of MySQL's protocol, from the server's side.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Long passwords and flags, found rows, a database, protocol 4.1, transactions, secure and pluggable
/// authentication.
const CAPABILITIES: u32 = 0x1 | 0x2 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
const AUTOCOMMIT: [u8; 2] = [2, 0];
const UTF8: u8 = 45;

/// A column of an answer.
pub struct Column {
    name: &'static str,
    kind: u8,
    charset: u8,
}

impl Column {
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: 0xfd, charset: UTF8 }
    }

    pub const fn double(name: &'static str) -> Self {
        Self { name, kind: 0x05, charset: 63 }
    }

    fn packet(&self) -> Vec<u8> {
        let mut packet = vec![];
        for part in ["def", "", "", "", self.name, self.name] {
            add_text(&mut packet, part.as_bytes());
        }
        packet.extend([0x0c, self.charset, 0, 0xff, 0xff, 0, 0, self.kind, 0, 0, 0x1f, 0, 0]);
        packet
    }
}

/// A value of a statement.
#[derive(Debug)]
pub enum Param {
    Text(Vec<u8>),
    Number(u64),
}

impl Param {
    pub fn text(self) -> String {
        match self {
            Self::Text(bytes) => String::from_utf8(bytes).expect("text"),
            Self::Number(number) => number.to_string(),
        }
    }
}

pub struct Packets {
    stream: TcpStream,
    sequence: u8,
}

impl Packets {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, sequence: 0 }
    }

    /// Lets a user in, and nobody else.
    pub async fn greet(&mut self, user: &str) -> bool {
        let mut hello = vec![10];
        hello.extend(b"8.0.11-TiDB-v8.5.0\0");
        hello.extend([1, 0, 0, 0]);
        hello.extend(b"12345678\0");
        let capabilities = CAPABILITIES.to_le_bytes();
        hello.extend([capabilities[0], capabilities[1], UTF8]);
        hello.extend(AUTOCOMMIT);
        hello.extend([capabilities[2], capabilities[3], 21]);
        hello.extend([0; 10]);
        hello.extend(b"123456789012\0mysql_native_password\0");
        self.send(&hello).await;
        let Some(answer) = self.receive().await else { return false };
        let name = answer[32..].split(|byte| *byte == 0).next().expect("a name");
        if name == user.as_bytes() {
            self.ok(0).await;
            return true;
        }
        self.error(1045, "Access denied").await;
        false
    }

    /// The next packet; `None` at the end.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.ok()?;
        self.sequence = head[3].wrapping_add(1);
        let length = usize::try_from(number(&head[..3])).expect("it fits");
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet).await.ok()?;
        Some(packet)
    }

    async fn send(&mut self, packet: &[u8]) {
        let mut bytes = u32::try_from(packet.len()).expect("small").to_le_bytes()[..3].to_vec();
        bytes.push(self.sequence);
        bytes.extend(packet);
        self.sequence = self.sequence.wrapping_add(1);
        // A client that is gone needs no answer.
        let _ = self.stream.write_all(&bytes).await;
    }

    pub async fn ok(&mut self, rows: usize) {
        let mut packet = vec![0];
        add_number(&mut packet, rows);
        packet.push(0);
        packet.extend(AUTOCOMMIT);
        packet.extend([0, 0]);
        self.send(&packet).await;
    }

    pub async fn error(&mut self, code: u16, message: &str) {
        let mut packet = vec![0xff];
        packet.extend(code.to_le_bytes());
        packet.extend(b"#HY000");
        packet.extend(message.as_bytes());
        self.send(&packet).await;
    }

    async fn end(&mut self) {
        self.send(&[0xfe, 0, 0, AUTOCOMMIT[0], AUTOCOMMIT[1]]).await;
    }

    pub async fn prepared(&mut self, id: u32, params: usize, columns: &[Column]) {
        let mut packet = vec![0];
        packet.extend(id.to_le_bytes());
        for count in [columns.len(), params] {
            packet.extend(u16::try_from(count).expect("MySQL's limit").to_le_bytes());
        }
        packet.extend([0, 0, 0]);
        self.send(&packet).await;
        for _ in 0..params {
            self.send(&Column::text("?").packet()).await;
        }
        if params > 0 {
            self.end().await;
        }
        self.columns(columns).await;
    }

    async fn columns(&mut self, columns: &[Column]) {
        for column in columns {
            self.send(&column.packet()).await;
        }
        if !columns.is_empty() {
            self.end().await;
        }
    }

    /// Rows in the binary form, as prepared statements have them.
    pub async fn rows(&mut self, columns: &[Column], rows: &[(String, f64)]) {
        self.send(&[u8::try_from(columns.len()).expect("few")]).await;
        self.columns(columns).await;
        for (text, number) in rows {
            let mut packet = vec![0, 0];
            add_text(&mut packet, text.as_bytes());
            packet.extend(number.to_le_bytes());
            self.send(&packet).await;
        }
        self.end().await;
    }
}

/// A number of a few bytes, the least first.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The values of a statement: behind a map of nulls, of which there are none, their kinds and they.
pub fn params(packet: &[u8], count: usize) -> Vec<Param> {
    let nulls = count.div_ceil(8);
    assert!(packet[..nulls].iter().all(|byte| *byte == 0), "nothing is null");
    assert_eq!(packet[nulls], 1, "kinds are sent");
    let kinds = &packet[nulls + 1..nulls + 1 + 2 * count];
    let mut rest = &packet[nulls + 1 + 2 * count..];
    let mut value = |kind: &[u8]| match kind[0] {
        0x08 => {
            let (value, behind) = rest.split_at(8);
            rest = behind;
            Param::Number(number(value))
        }
        0x0f | 0xfc..=0xfe => {
            let (length, at) = match rest[0] {
                0xfc => (number(&rest[1..3]), 3),
                0xfd => (number(&rest[1..4]), 4),
                0xfe => (number(&rest[1..9]), 9),
                small => (u64::from(small), 1),
            };
            let end = at + usize::try_from(length).expect("it fits");
            let value = rest[at..end].to_vec();
            rest = &rest[end..];
            Param::Text(value)
        }
        other => panic!("a value of the kind {other:#x}"),
    };
    kinds.chunks(2).map(&mut value).collect()
}

fn add_number(packet: &mut Vec<u8>, number: usize) {
    match u16::try_from(number).expect("small") {
        small @ 0..=250 => packet.push(small.to_le_bytes()[0]),
        large => {
            packet.push(0xfc);
            packet.extend(large.to_le_bytes());
        }
    }
}

fn add_text(packet: &mut Vec<u8>, text: &[u8]) {
    add_number(packet, text.len());
    packet.extend(text);
}
