//! The one integration binary: what several layers do together.

mod layers;
mod seed_facts;
mod seed_known;
mod seeds;
mod vectors;
