//! The module's file store: certificates and keys that a host has uploaded. Survives restarts, not the program.

use std::collections::BTreeMap;

/// Files by name, without storage prefix.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Stores a file, in place of one of the same name.
    pub(super) fn put(&mut self, name: &[u8], content: Vec<u8>) {
        self.0.insert(plain(name), content);
    }

    /// A file, by its name with or without `UFS:`.
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.get(&plain(name)).map(Vec::as_slice)
    }

    /// Deletes a file, or all of them for `*`; whether there was any such file.
    pub(super) fn delete(&mut self, name: &[u8]) -> bool {
        match plain(name).as_str() {
            "*" => {
                self.0.clear();
                true
            }
            name => self.0.remove(name).is_some(),
        }
    }

    /// Names and sizes of one file or, for `*`, of all.
    pub(super) fn list(&self, name: &[u8]) -> Vec<(&str, usize)> {
        let wanted = plain(name);
        let matches = |known: &str| wanted == "*" || known == wanted;
        self.0
            .iter()
            .filter(|(known, _)| matches(known))
            .map(|(known, content)| (known.as_str(), content.len()))
            .collect()
    }
}

/// The checksum of an upload: 16 bits, exclusive or of the pairs of bytes, the first of each pair the high one; a last
/// single byte is a high one too (decision 42).
pub(super) fn checksum(content: &[u8]) -> u16 {
    let pair = |pair: &[u8]| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
    content.chunks(2).map(pair).fold(0, |sum, pair| sum ^ pair)
}

fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.strip_prefix("UFS:").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_pairs_bytes_big_end_first() {
        assert_eq!(0x1234 ^ 0x5678, checksum(&[0x12, 0x34, 0x56, 0x78]));
        assert_eq!(0x1234 ^ 0x5600, checksum(&[0x12, 0x34, 0x56]));
        assert_eq!(0, checksum(&[]));
    }

    #[test]
    fn storage_prefix_is_no_part_of_the_name() {
        let mut files = Files::default();
        files.put(b"UFS:ca.pem", vec![1, 2]);
        assert_eq!(Some(&[1u8, 2][..]), files.get(b"ca.pem"));
        assert_eq!(vec![("ca.pem", 2)], files.list(b"*"));
        assert!(files.delete(b"ca.pem") && !files.delete(b"ca.pem"));
    }
}
