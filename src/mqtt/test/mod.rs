//! Tests of the codec and of both ends joined in memory.

mod frames;
mod joined;
mod random;
mod rules;
