//! `/v1/kv`: user database 0 as Consul's KV store.
//!
//! A key is the bytes behind `/v1/kv/`, percent-decoded once; nothing is cleaned or joined. A Redis string and an entry
//! are the same thing. Keys of other types are not there for listings, and a single read of one says what it is.
//! Flags, and the session that holds a key, are beside it: `core/session` has the rules.

mod read;
mod shape;
mod write;

use adsum_session::kv::DATABASE;
use hyper::Uri;

use super::answer::Refusal;
use crate::percent;

pub(crate) use read::get;
pub(crate) use shape::Shape;
pub(crate) use write::{delete, put};

fn key_of(uri: &Uri) -> Result<Vec<u8>, Refusal> {
    let path = uri.path();
    let rest = path.strip_prefix("/v1/kv/").unwrap_or_default();
    percent::decode(rest).ok_or_else(|| {
        Refusal::bad(format!("key '{rest}' has a % without two hexadecimal digits: write %25 for it"))
    })
}
