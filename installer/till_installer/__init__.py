"""What stands above agent and cloud: the demo of a whole chain on one machine."""
