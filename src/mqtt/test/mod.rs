//! Tests of the codec and of both ends joined in memory.
