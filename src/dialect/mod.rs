//! The five documents as data: commands, ranges, times, results, URCs, error codes, examples.
//!
//! A file in `data/` names its parent and holds only what differs from it.

pub mod schema;
