"""Making deployment bundles (docs/bundle.md) from the records of a variant; trtbuild/loader/ reads them."""
