"""Between questions, on the whole product: trained, evaluated, stress-tested."""
