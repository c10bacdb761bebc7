//! Commits of what is registered. They are answered when all who read the catalog have them, so that whoever was told that
//! something is registered finds it by DNS.

use adsum_keyspace::Transaction;

use super::answer::Refusal;
use crate::ApiState;

pub(super) async fn commit<T>(
    state: &ApiState,
    body: impl FnOnce(&mut Transaction<'_>) -> T,
) -> Result<T, Refusal> {
    let reply = state.store.try_commit(body).await?;
    // What DNS reads is as far then.
    state.store.catalog().await?;
    Ok(reply)
}
