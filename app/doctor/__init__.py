"""`ringtrue doctor`: is everything in place?"""
