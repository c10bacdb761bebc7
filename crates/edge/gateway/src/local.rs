//! Tasks of a worker stay on its thread.

use std::future::Future;

/// Runs hyper's own tasks where the connection is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
