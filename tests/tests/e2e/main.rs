//! The product through its binary, with real clients: one test binary, one module per subject.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod bad_input;
mod chirp;
mod demo;
mod domain;
mod durability;
mod full;
mod gateway;
mod kit;
mod kv;
mod lock;
mod maint;
mod node;
mod script;
mod service;
mod settings;
mod snapshot;
mod switch;
mod takeover;
mod talk;
mod web;
