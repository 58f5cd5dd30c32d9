"""What Prometheus alerts on and Grafana shows: the one source of what lies in deploy/monitoring."""
