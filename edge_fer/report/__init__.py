"""From results to summaries: who was seen in a film, when, and how."""
