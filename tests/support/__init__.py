"""What tests share: fakes, graphs, servers and pages."""
