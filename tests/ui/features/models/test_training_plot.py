from cmr_viewer.ui.features.models.training_plot import TrainingPlot


def test_loss_and_score_of_a_training_are_listed_by_batch(app, qtbot):
    plot = TrainingPlot()
    qtbot.addWidget(plot)
    assert plot.place.text == "The curve appears with the first batches"
    plot.add("loss", 20, 0.5)
    plot.add("loss", 40, 0.25)
    plot.add("validation", 40, 0.875)
    plot.add("rate", 40, 0.001)  # a curve that is not shown
    assert plot.place.text == ""
    assert plot.place.as_csv().decode().splitlines() == ["batch,loss,validation Dice", "20,0.5,", "40,0.25,0.875"]
    plot.clear()
    assert plot.points == {"loss": [], "validation": []}
