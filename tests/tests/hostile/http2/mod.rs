//! HTTP/2 connections that keep the rules of the format and break those of decency: each is ended or bounded, and
//! others are served.

mod downgrade;
mod floods;
mod frames;
