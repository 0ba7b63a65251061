//! Tests of the codec and of both ends joined in memory.

mod frames;
mod lifetime;
mod random;
mod requests;
mod rules;
mod world;
