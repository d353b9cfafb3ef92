"""Operations with a derivative of their own; torch is imported here, and these modules inside functions alone."""
