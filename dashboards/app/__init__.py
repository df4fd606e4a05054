"""The interactive app: what a store holds, live, in a browser. The one door to Streamlit. It writes nothing."""
