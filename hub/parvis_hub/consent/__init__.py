"""Routes of people who asked for one: their tag's sightings, put on the site's walkways."""
