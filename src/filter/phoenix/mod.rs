//! The simple filters of Phoenix: parameters of its span search.
