# What contributors type. `just` lists the recipes; the times are in CONTRIBUTING.md.

_default:
    @just --list

# Run all tests
test *ARGS:
    cargo test --locked {{ARGS}}

# Run N seeded histories of the whole engine, with faults and kills
sim N="10000":
    LINQSYNC_SIM_HISTORIES={{N}} cargo test --locked --test suite simulation::thousands

# Kill a run, or fail it, at each of its system calls
sweep WHAT="all":
    tests/sweep.sh {{WHAT}}

# Measure runs over 100,000 contacts
bench *ARGS:
    cargo build --locked --release
    benches/scale.py target/release/linqsync {{ARGS}}

# Try N damaged inputs for each fuzz target
fuzz N="1000":
    LINQSYNC_FUZZ={{N}} cargo test --locked --test suite fuzz_targets

# Build the crate as it is published
package:
    cargo package --locked

# Rewrite the pages and reports that are made from the program
docs:
    LINQSYNC_WRITE_DOCS=1 cargo test --locked --test suite -- documents reports
