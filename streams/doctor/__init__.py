"""What this machine has and lacks: one module a part of it, each giving findings."""
