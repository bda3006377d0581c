"""What `sylk-server check` looks at: one module for each subject, each gives findings."""
