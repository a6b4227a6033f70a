//! Isolation and durability checkers that see recorded histories only.
