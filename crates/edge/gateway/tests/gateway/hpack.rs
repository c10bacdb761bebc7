//! How the fields of answers over HTTP/2 are written (RFC 7541, 6).

use crate::kit::{Backend, House, Wire};

/// GET, http, /, and `web.test`, which is not indexed.
const ASKING: &[u8] = b"\x82\x86\x84\x01\x08web.test";
const HEADERS: u8 = 1;
/// The last index of the static table.
const STATIC: usize = 61;

/// One field of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Indexed,
    /// Its value stands here, and its name has this index; 0 when that stands here, too.
    ToBeIndexed(usize),
    NotIndexed(usize),
    NeverIndexed(usize),
}

/// A number of which the first byte has so many bits.
fn number(block: &mut &[u8], bits: u32) -> usize {
    let most = (1 << bits) - 1;
    let mut number = usize::from(next(block)) & most;
    let mut shift = 0;
    while number >= most {
        let byte = next(block);
        number += usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn next(block: &mut &[u8]) -> u8 {
    let (first, rest) = block.split_first().unwrap();
    *block = rest;
    *first
}

fn skip_text(block: &mut &[u8]) {
    let length = number(block, 7);
    *block = &block[length..];
}

fn fields(mut block: &[u8]) -> Vec<Written> {
    let mut fields = Vec::new();
    while let Some(first) = block.first().copied() {
        let field = match first {
            0x80.. => {
                number(&mut block, 7);
                Written::Indexed
            }
            0x40.. => Written::ToBeIndexed(number(&mut block, 6)),
            0x20.. => panic!("a change of the table's size"),
            0x10.. => Written::NeverIndexed(number(&mut block, 4)),
            _ => Written::NotIndexed(number(&mut block, 4)),
        };
        if let Written::ToBeIndexed(name) | Written::NotIndexed(name) | Written::NeverIndexed(name) = field {
            if name == 0 {
                skip_text(&mut block);
            }
            skip_text(&mut block);
        }
        fields.push(field);
    }
    fields
}

/// Asks on a stream of its own, and waits for all of the answer.
async fn ask(wire: &mut Wire, stream: u8) -> Vec<Written> {
    wire.send([&[0, 0, ASKING.len() as u8, HEADERS, 0x5, 0, 0, 0, stream], ASKING].concat()).await;
    let mut block = Vec::new();
    loop {
        let head = wire.take(9).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = wire.take(length as usize).await.unwrap();
        if head[8] == stream && head[3] == HEADERS {
            block = payload;
        }
        if head[8] == stream && head[4] & 1 != 0 {
            return fields(&block);
        }
    }
}

#[tokio::test]
async fn an_id_is_indexed_once_for_its_name_and_others_have_no_place_in_the_table() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let first = ask(&mut wire, 1).await;
    assert!(!first.iter().any(|field| matches!(field, Written::NeverIndexed(_))), "{first:?}");
    for stream in [3, 5, 7] {
        let answer = ask(&mut wire, stream).await;
        let never: Vec<_> = answer.iter().filter(|field| matches!(field, Written::NeverIndexed(_))).collect();
        let [Written::NeverIndexed(name)] = never[..] else { panic!("one id: {answer:?}") };
        assert!(*name > STATIC, "{answer:?}");
        let spelt = [Written::ToBeIndexed(0), Written::NotIndexed(0)];
        assert!(!answer.iter().any(|field| spelt.contains(field)), "{answer:?}");
    }
}
