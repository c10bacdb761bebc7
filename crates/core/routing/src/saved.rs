//! The last known good table as JSON, to be used when nobody can say how things are now.
//!
//! ```text
//! {"format":2,"checksum":"8c736521","table":{"cluster":"5f...","revision":1042,"pools":[...],"wishes":[...]}}
//! ```
//!
//! The checksum (CRC-32C, in hexadecimal) is that of the bytes of `table`. Ranks, index and problems are not kept: they
//! follow from the wishes.

use std::sync::Arc;

use adsum_model::Revision;
use serde::{Deserialize, Serialize};

use crate::pool::Pool;
use crate::routes::Routes;
use crate::table::Table;
use crate::wish::Wish;

const FORMAT: u32 = 2;
/// Bytes of the largest file that is read.
pub const LARGEST_SAVED: usize = 64 << 20;

/// Why a saved table is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    #[error(
        "the saved route table has {bytes} bytes, and {LARGEST_SAVED} are the most that is read: remove it"
    )]
    TooLarge { bytes: usize },
    #[error("the saved route table is damaged ({what}): it is of no use, remove it")]
    Damaged { what: String },
    #[error(
        "the saved route table has format {format}, and this release reads {FORMAT}: it was written by another one"
    )]
    Other { format: u32 },
    #[error(
        "the saved route table is of cluster {found}, and the data here is of {expected}: it was put here from elsewhere, remove it"
    )]
    Foreign { found: String, expected: String },
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct Body {
    cluster: String,
    revision: Revision,
    pools: Vec<Arc<Pool>>,
    wishes: Vec<Wish>,
}

impl Table {
    /// For [`Table::from_json`]. A revision means something within its cluster only.
    pub fn to_json(&self, cluster: &str) -> Vec<u8> {
        let pools = self.pools.values().cloned().collect();
        let (cluster, revision, wishes) = (cluster.to_string(), self.revision, self.routes.wishes.clone());
        let body = Body { cluster, revision, pools, wishes };
        let body = serde_json::to_string(&body).expect("a table has a JSON form");
        format!("{}{body}}}", opening(body.as_bytes())).into_bytes()
    }

    /// What [`Table::to_json`] made for this cluster, or why it is not used.
    pub fn from_json(bytes: &[u8], cluster: &str) -> Result<Table, SavedError> {
        if bytes.len() > LARGEST_SAVED {
            return Err(SavedError::TooLarge { bytes: bytes.len() });
        }
        let body = body(bytes)?;
        let body: Body = serde_json::from_slice(body).map_err(|error| damaged(&error.to_string()))?;
        if body.cluster != cluster {
            return Err(SavedError::Foreign { found: body.cluster, expected: cluster.to_string() });
        }
        let pools = body.pools.into_iter().map(|pool| (pool.service.clone(), pool)).collect();
        Ok(Table::of(body.revision, pools, Arc::new(Routes::of(body.wishes))))
    }
}

/// All before the body.
fn opening(body: &[u8]) -> String {
    format!("{{\"format\":{FORMAT},\"checksum\":\"{:08x}\",\"table\":", crc32c::crc32c(body))
}

fn body(bytes: &[u8]) -> Result<&[u8], SavedError> {
    let length = opening(&[]).len();
    let known = format!("{{\"format\":{FORMAT},");
    if !bytes.starts_with(known.as_bytes()) {
        let newer = serde_json::from_slice(bytes).ok().filter(|head: &Head| head.format != FORMAT);
        let newer = newer.map(|head| SavedError::Other { format: head.format });
        return Err(newer.unwrap_or_else(|| damaged("it does not begin as one")));
    }
    let (head, rest) = bytes.split_at_checked(length).ok_or_else(|| damaged("it ends too early"))?;
    let body = rest.strip_suffix(b"}").ok_or_else(|| damaged("it ends too early"))?;
    if head != opening(body).as_bytes() {
        return Err(damaged("its checksum is another"));
    }
    Ok(body)
}

fn damaged(what: &str) -> SavedError {
    SavedError::Damaged { what: what.to_string() }
}
