"""What other systems read of a hub: confirmed incidents as CAP 1.2 alerts, incidents as GeoJSON, units for Home Assistant."""
