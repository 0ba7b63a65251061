//! The one integration binary: what several layers do together.

mod layers;
mod vectors;
