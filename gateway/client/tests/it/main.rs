//! Behaviour of the client against scripted servers and scripted feeds.
#![cfg(test)]

mod book;
mod copies;
mod feed;
mod heartbeat;
mod login;
mod orders;
mod server;
mod stream;
