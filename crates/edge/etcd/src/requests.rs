//! etcd's requests, made of what the engine means by them.

use crate::layout::Span;
use crate::protocol::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::protocol::request_op::Request;
use crate::protocol::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, ResponseHeader, TxnResponse,
    response_op::Response,
};

/// The key was put last by this transaction of etcd; 0 for: it is not there.
pub(crate) fn is_of(key: Vec<u8>, revision: i64) -> Compare {
    compare(key, CompareTarget::Mod, CompareResult::Equal, TargetUnion::ModRevision(revision))
}

/// The key was made by this transaction of etcd; 0 for: it is not there.
pub(crate) fn was_made_by(key: Vec<u8>, revision: i64) -> Compare {
    compare(key, CompareTarget::Create, CompareResult::Equal, TargetUnion::CreateRevision(revision))
}

/// Neither put after this transaction of etcd nor made after it; it may have been deleted.
pub(crate) fn is_not_newer(key: Vec<u8>, revision: i64) -> Compare {
    compare(key, CompareTarget::Mod, CompareResult::Less, TargetUnion::ModRevision(revision + 1))
}

/// The same for every key of a span.
pub(crate) fn none_is_newer(span: Span, revision: i64) -> Compare {
    Compare { range_end: span.to.into(), ..is_not_newer(span.from, revision) }
}

fn compare(key: Vec<u8>, target: CompareTarget, result: CompareResult, union: TargetUnion) -> Compare {
    Compare {
        result: result.into(),
        target: target.into(),
        key: key.into(),
        target_union: Some(union),
        ..Compare::default()
    }
}

pub(crate) fn get(key: Vec<u8>) -> RangeRequest {
    RangeRequest { key: key.into(), ..RangeRequest::default() }
}

pub(crate) fn scan(span: Span) -> RangeRequest {
    RangeRequest { key: span.from.into(), range_end: span.to.into(), ..RangeRequest::default() }
}

/// Bound to a lease; 0 for none.
pub(crate) fn put(key: Vec<u8>, value: Vec<u8>, lease: i64) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), lease }
}

pub(crate) fn delete(key: Vec<u8>) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() }
}

pub(crate) fn delete_all(span: Span) -> DeleteRangeRequest {
    DeleteRangeRequest { key: span.from.into(), range_end: span.to.into() }
}

impl From<RangeRequest> for RequestOp {
    fn from(request: RangeRequest) -> RequestOp {
        RequestOp { request: Some(Request::RequestRange(request)) }
    }
}

impl From<PutRequest> for RequestOp {
    fn from(request: PutRequest) -> RequestOp {
        RequestOp { request: Some(Request::RequestPut(request)) }
    }
}

impl From<DeleteRangeRequest> for RequestOp {
    fn from(request: DeleteRangeRequest) -> RequestOp {
        RequestOp { request: Some(Request::RequestDeleteRange(request)) }
    }
}

/// etcd's revision as of a response.
pub(crate) fn revision(header: Option<&ResponseHeader>) -> i64 {
    header.map_or(0, |header| header.revision)
}

impl TxnResponse {
    /// By which transaction the key of the `nth` operation, a range of one key, was put last; 0 when it is not there.
    pub(crate) fn put_by(&self, nth: usize) -> i64 {
        match self.responses.get(nth).and_then(|response| response.response.as_ref()) {
            Some(Response::ResponseRange(range)) => range.kvs.first().map_or(0, |kv| kv.mod_revision),
            _ => 0,
        }
    }
}
