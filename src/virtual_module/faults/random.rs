//! Chance that the seed decides: the same seed, the same bytes.

/// The generator SplitMix64.
#[derive(Debug)]
pub(in crate::virtual_module) struct Random(u64);

impl Random {
    pub(in crate::virtual_module) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Whether it is one of so many of a hundred.
    pub(in crate::virtual_module) fn is_hit(&mut self, percent: i64) -> bool {
        (self.next() % 100) < percent.unsigned_abs()
    }

    /// Another byte than this one.
    pub(in crate::virtual_module) fn other(&mut self, byte: u8) -> u8 {
        byte.wrapping_add(1 + (self.next() % 255) as u8)
    }
}
