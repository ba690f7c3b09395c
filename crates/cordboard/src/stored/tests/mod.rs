mod fixture;
mod refusal;
mod rich;
mod walk;
