"""What a city publishes of its site, made of the running configuration and the store: register, street sign, impact assessment, report."""
