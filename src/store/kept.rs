//! What was read of files and is kept for the next reader: files never change, so neither does it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values that are kept while all of them together are not too large; then none of them is.
pub(crate) struct Kept<K, V> {
    known: Mutex<Known<K, V>>,
    /// Bytes that they may take.
    most: usize,
}

struct Known<K, V> {
    values: HashMap<K, V>,
    bytes: usize,
}

impl<K, V> fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("most", &self.most).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { known: Mutex::new(Known { values: HashMap::new(), bytes: 0 }), most }
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values.get(key).cloned()
    }

    pub(crate) fn keep(&self, key: K, value: &V, bytes: usize) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.bytes + bytes > self.most {
            *known = Known { values: HashMap::new(), bytes: 0 };
        }
        if bytes <= self.most && known.values.insert(key, value.clone()).is_none() {
            known.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn what_is_kept_is_never_too_large() {
        let kept: Kept<String, u8> = Kept::new(10);
        kept.keep("a".into(), &1, 6);
        kept.keep("a".into(), &1, 6);
        kept.keep("huge".into(), &2, 11);
        assert_eq!((kept.get("a"), kept.get("huge")), (None, None));
        kept.keep("b".into(), &3, 5);
        kept.keep("c".into(), &4, 5);
        assert_eq!((kept.get("b"), kept.get("c")), (Some(3), Some(4)));
        kept.keep("d".into(), &5, 1);
        assert_eq!((kept.get("b"), kept.get("d")), (None, Some(5)));
    }
}
