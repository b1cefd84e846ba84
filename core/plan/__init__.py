"""Pipeline file in, immutable plan out."""
