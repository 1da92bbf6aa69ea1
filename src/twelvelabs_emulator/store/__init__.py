"""What clients have made on the emulator: assets, uploads, tasks, files."""
