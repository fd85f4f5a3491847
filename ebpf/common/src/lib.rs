#![no_std]
//! Placeholder: written by its owner.
