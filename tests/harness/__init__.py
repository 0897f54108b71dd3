"""What the tests that need a PostgreSQL, a Millrace process or a lake share. See README.md."""
