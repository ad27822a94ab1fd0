"""The studio: a local web page on which a hypothesis is stated, its learning rate held in the hand, and watched.

profile, bench, worker     what costs rows: a process of each tab's own
view, slide                a run as it was fitted, and as it follows the sliders
scene, data, plane, ...    what is drawn of a run, as plain numbers
study, looking, runs       what a person has stated, what is looked at, and what came of it
reproduce                  what they take along
page, parts, widgets       the page, thin
server, guard, tabs,       the door, and how much may pass it
connections, uploads
"""
