"""The steps that stores take, in order; one that has been released is never changed."""
