//! Behaviour of the codecs as seen from outside.
#![cfg(test)]

mod appendage;
mod documents;
mod drop_copy;
mod frames;
mod layouts;
mod login;
mod robustness;
mod splitter;
