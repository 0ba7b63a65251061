"""What pytest loads wherever modemrig is installed: it must cost nothing until the suite asks for it."""
