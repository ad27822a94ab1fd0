"""The studio: a local web page for stating a hypothesis, choosing its learning rate and watching the descent.

profile, worker             the work on rows: one process per tab
view, live_run              a fitted run, and the run that follows the sliders
scene, charts, data_chart, plane
                            the three pictures of a run, as plain numbers
study, shown_run, runs      the state of a tab: what is stated, what is shown, and the results
reproduce                   the command line and the Python script that repeat a run
page, parts, widgets        the page
server, guard, tabs,        the server, access control and limits
connections, uploads
"""
