//! Adsum's own API, under `/api`: what the command line and delivery pipelines use. `openapi.json` documents it.
//!
//! Answers are JSON; a refusal is `{"errors": ["..."]}` with all that is wrong. Every write takes an `Idempotency-Key`.

mod answer;
mod change;
mod draft;
mod event;
mod follow;
mod hold;
mod instance;
mod offer;
mod patch;
mod rollout;
mod service;
mod token;
mod waiting;
mod write;

pub(crate) mod events;
pub(crate) mod gateway;
pub(crate) mod instances;
pub(crate) mod logs;
pub(crate) mod maintenance;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod openapi;
pub(crate) mod past;
pub(crate) mod rollouts;
pub(crate) mod scale;
pub(crate) mod services;
pub(crate) mod snapshot;
pub(crate) mod sse;
pub(crate) mod status;
pub(crate) mod switches;
pub(crate) mod targets;
pub(crate) mod usable;
pub(crate) mod watch;
pub(crate) mod why;
pub(crate) mod wish;

pub(crate) use answer::Refusal;
